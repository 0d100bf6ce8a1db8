/** Films from the reader's disk: picked or dropped. */

/**
 * @param {{input: HTMLInputElement, drop: HTMLElement}} elements
 * @param {(files: File[]) => void} take
 */
export function followFiles({ input, drop }, take) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  });
  let inside = 0;
  const over = (change) => {
    inside = Math.max(0, inside + change);
    drop.classList.toggle("over", inside > 0);
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    over(0);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) take(files);
  });
}
