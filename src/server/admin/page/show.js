// Putting things on the page. Whatever was read is put there as text, never as markup.

const byId = id => document.getElementById(id);

function element(name, about = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

// A table; columns are [title, cell of a row, "number" or nothing].
function table(columns, rows, none) {
  if (!rows.length) return element("p", { class: "none" }, none);
  const heads = columns.map(([title, , kind]) => element("th", { scope: "col", class: kind }, title));
  const lines = rows.map(row => element("tr", {}, ...columns.map(([, cell, kind]) => {
    const made = cell(row);
    return element("td", { class: kind }, made === null || made === undefined ? "" : made);
  })));
  const whole = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
  return element("div", { class: "wide" }, whole);
}

// Replaces what is there, and leaves the focus where it was.
function put(id, ...children) {
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  const place = byId(id);
  const had = focused && place.contains(document.activeElement);
  place.replaceChildren(...children);
  const same = had && [...place.querySelectorAll("a")].find(link => link.getAttribute("href") === focused);
  if (same) same.focus({ preventScroll: true });
}

const tone = (word, text) => element("span", { class: word }, text);

function share(part, whole, text) {
  const filled = element("i", { class: part >= whole ? "over" : null });
  filled.style.width = `${whole > 0 ? Math.min(100, (part / whole) * 100) : 0}%`;
  return element("span", {}, element("span", { class: "share", role: "img", "aria-label": text }, filled), " ", text);
}

function ms(time) {
  if (time === null || time === undefined) return "–";
  if (time < 10) return `${time.toFixed(1)} ms`;
  return time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(2)} s`;
}

function usd(amount) {
  if (amount === null || amount === undefined) return "–";
  if (amount === 0) return "$0";
  return amount >= 1 ? `$${amount.toFixed(2)}` : `$${amount.toFixed(Math.min(9, 2 - Math.floor(Math.log10(amount))))}`;
}

const percent = (part, whole) => (whole ? `${((part / whole) * 100).toFixed(part && part < whole / 10 ? 1 : 0)} %` : "–");
const clock = time => new Date(time).toLocaleTimeString([], { hour12: false });

function outcome(decision) {
  const tones = { ok: "good", hang_up: "warn", refused: "warn" };
  return tone(tones[decision.outcome] || "bad", `${decision.status} ${decision.outcome.replace("_", " ")}`);
}
