// Making and changing what is on the page. Text goes in as text, whatever it holds.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** An HTML element with these attributes and these texts or elements inside. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Changes a text only if it differs, so that nobody is told the same thing twice. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Shows a notice with this text, or takes it away when there is none. */
export function notice(node, text) {
  setText(node, text ?? '');
  node.hidden = !text;
}

/** Moves a progress bar to `percent`, for the eye and for a screen reader. */
export function setProgress(bar, fill, percent, words) {
  const whole = Math.floor(percent);
  bar.setAttribute('aria-valuenow', String(whole));
  bar.setAttribute('aria-valuetext', words);
  fill.style.width = `${percent}%`;
}

/** Hands the user a file with this text. */
export function download(name, type, text) {
  offer(name, new Blob([text], { type }));
}

/** Hands the user a file. */
export function offer(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = element('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser may still be reading it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
