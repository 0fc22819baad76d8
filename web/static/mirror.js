// The canvas in real HTML, for screen readers: elements as the app names them, in its order.

/// Elements by the app's number.
const elements = new Map();
let act = null;

const KINDS = {
  button: () => made("button", { type: "button" }),
  link: () => made("button", { type: "button", role: "link" }),
  checkbox: () => made("input", { type: "checkbox" }),
  field: () => made("input", { type: "text" }),
  number: () => made("input", { type: "number", step: "any" }),
  text: () => made("p", {}),
};

function made(tag, attributes) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function create({ id, kind }) {
  const element = KINDS[kind]();
  if (kind === "field" || kind === "number") element.onchange = () => act("set", id, element.value);
  else if (kind !== "text") element.onclick = () => act("click", id, "");
  return element;
}

function update(element, { kind, label, value, on, off }) {
  const words = [label, value].filter(Boolean).join(" ");
  if (kind === "text" || kind === "button" || kind === "link") {
    if (element.textContent !== words) element.textContent = words;
    if (kind === "button") element.setAttribute("aria-pressed", on);
  } else {
    element.setAttribute("aria-label", label || value);
    if (kind === "checkbox") element.checked = on;
    else if (document.activeElement !== element) element.value = value;
  }
  element.toggleAttribute("disabled", off);
}

/// Shows the lines, moving and changing as little as possible: a reader stands on one of them.
export function show(json) {
  const page = document.getElementById("mirror");
  const lines = JSON.parse(json);
  const present = new Set(lines.map(({ id }) => id));
  for (const [id, { element }] of elements) {
    if (!present.has(id)) {
      element.remove();
      elements.delete(id);
    }
  }
  let at = page.firstChild;
  for (const line of lines) {
    let known = elements.get(line.id);
    if (known && known.kind !== line.kind) {
      known.element.remove();
      if (at === known.element) at = at.nextSibling;
      known = null;
    }
    if (!known) elements.set(line.id, (known = { kind: line.kind, element: create(line) }));
    update(known.element, line);
    if (known.element === at) at = at.nextSibling;
    else page.insertBefore(known.element, at);
  }
}

/// The app's way to hear what is done; the button that turns the mirror on appears with it.
export function listen(listener) {
  act = listener;
  const button = document.getElementById("mirror-on");
  button.hidden = false;
  button.onclick = () => {
    button.hidden = true;
    document.getElementById("mirror").hidden = false;
    act("start", "0", "");
  };
}
