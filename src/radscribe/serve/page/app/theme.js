/** Light or dark colours, by the system or by choice. */

const CHOICE = "radscribe.theme";

/** @param {HTMLSelectElement} choice */
export function followTheme(choice) {
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
  };
  choice.value = localStorage.getItem(CHOICE) ?? "auto";
  set(choice.value);
  choice.addEventListener("change", () => {
    localStorage.setItem(CHOICE, choice.value);
    set(choice.value);
  });
}
