/** The files that the service makes of a draft. */

import { alertReader, announce, clearAlert } from "../app/announcer.js";
import { button, make } from "../app/dom.js";

const ROUTE = /^\/v1\/drafts\/\{[^}]+\}\/([^{}]+)$/;
const NAMES = {
  "report.sr.dcm": "Report (DICOM SR)",
  "findings.sr.dcm": "Findings (DICOM SR)",
  "report.pdf": "Report (PDF)",
  "report.pdf.dcm": "Report (PDF in DICOM)",
  "overlay.sc.dcm": "Maps (DICOM picture)",
  fhir: "FHIR bundle",
};

/** The names of the files that the service makes, as it describes itself. @returns {Promise<string[]>} */
export async function exportNames(api) {
  const { paths } = await api.json("/openapi.json");
  return Object.entries(paths)
    .filter(([, methods]) => "get" in methods)
    .map(([path]) => path.match(ROUTE)?.[1])
    .filter(Boolean);
}

/**
 * @param {import("../app/api.js").Api} api
 * @param {string[]} names
 * @param {string} id of the draft
 * @param {() => string} text of the report as it stands
 */
export function exportMenu(api, names, id, text) {
  const items = names.map((name) => button(NAMES[name] ?? name, () => download(api, id, name)));
  const asText = button("Text (TXT)", () => save(new Blob([`${text()}\n`], { type: "text/plain" }), `${id.slice(0, 8)}-report.txt`));
  return make(
    "details",
    { className: "exports" },
    make("summary", {}, "Export"),
    make("div", { className: "export-list" }, button("Copy text", () => copyText(text()), { key: "c" }), asText, ...items),
  );
}

/** Copy the text of a report. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("The text is copied.");
  } catch {
    alertReader("The browser did not let the page copy the text.");
  }
}

async function download(api, id, name) {
  try {
    const answer = await api.fetch(`/v1/drafts/${id}/${name}`);
    save(await answer.blob(), `${id.slice(0, 8)}-${name.includes(".") ? name : `${name}.json`}`);
    clearAlert();
    announce(`${NAMES[name] ?? name} is saved.`);
  } catch (error) {
    alertReader(`${NAMES[name] ?? name}: ${error.message}`);
  }
}

function save(content, name) {
  const address = URL.createObjectURL(content);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
