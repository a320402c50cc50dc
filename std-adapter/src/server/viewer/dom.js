/** Building elements. Text only ever becomes a text node, so nothing a span carries can turn into markup. */

import { serviceColour } from "/colour.js";

/**
 * Makes an element. `props` are properties, except `class`, `data` (data-* attributes), `attrs` (plain attributes),
 * `vars` (CSS custom properties) and `on` (listeners). Children as in `fill`.
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "attrs") for (const [key, text] of Object.entries(value)) element.setAttribute(key, text);
    else if (name === "vars") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else element[name] = value;
  }
  return fill(element, ...children);
}

/** Puts the children into an element, in place of what it had. Those that are null or false are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A chip with the colour of its service. */
export function serviceChip(name, count = 1) {
  return el("span", { class: "chip", vars: serviceColour(name), title: name },
    el("span", { class: "chip-dot" }), el("span", { class: "chip-name" }, name),
    count > 1 && el("span", { class: "chip-count" }, String(count)));
}

/** A button that copies a text and says so. */
export function copyButton(text, label) {
  const button = el("button", { class: "quiet copy", type: "button", title: label, attrs: { "aria-label": label } }, "Copy");
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

/** Shows a short message at the bottom of the page. */
export function toast(message) {
  const element = document.getElementById("toast");
  element.textContent = message;
  element.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { element.hidden = true; }, 4000);
}
