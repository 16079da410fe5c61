// Tells moments in the zone of whoever looks, unless they name another one, and keeps a page fresh that asks for it: fetches it again while it is
// seen, and swaps the parts that changed. Everything works without it.
"use strict";

const seen = new Map();
let last = 0;
let paused = false;

function localise(root) {
  const style = { dateStyle: "medium", timeStyle: "medium" };
  for (const moment of root.querySelectorAll("time[datetime]:not([data-zone])")) {
    if (!moment.title) moment.title = moment.textContent;
    moment.textContent = new Date(moment.dateTime).toLocaleString(undefined, style);
  }
}

function isInUse(part) {
  const chosen = getSelection();
  return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
}

// Finds what has the focus again after its part was swapped.
function focusedIn(part) {
  const focused = document.activeElement;
  if (!part.contains(focused)) return null;
  const details = focused.closest("details[id]");
  if (details) return `#${CSS.escape(details.id)} > summary`;
  return focused.hasAttribute("href") ? `a[href="${CSS.escape(focused.getAttribute("href"))}"]` : null;
}

function swap(here, there) {
  const open = [...here.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focused = focusedIn(here);
  here.replaceChildren(...there.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) here.querySelector(focused)?.focus({ preventScroll: true });
  localise(here);
}

function liveParts(root) {
  return [...root.querySelectorAll("[data-live][id]")];
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const there of liveParts(fresh)) {
    const here = document.getElementById(there.id);
    const text = there.innerHTML;
    if (!here || seen.get(there.id) === text || isInUse(here)) continue;
    seen.set(there.id, text);
    swap(here, there);
  }
  document.body.dataset.every = fresh.body.dataset.every ?? "0";
  document.title = fresh.title;
}

async function watch() {
  const every = Number(document.body.dataset.every) * 1000;
  if (!paused && !document.hidden && Date.now() - last >= every) {
    try {
      await refresh();
    } catch {
      // The server is away for a moment; the next turn asks again.
    }
    last = Date.now();
  }
  setTimeout(watch, 500);
}

function offerPause() {
  const button = document.createElement("button");
  button.className = "quiet live";
  const say = () => {
    button.textContent = paused ? "Paused" : "Live";
    button.setAttribute("aria-pressed", String(!paused));
    button.title = paused ? "Keep this page fresh" : "This page keeps itself fresh; press to pause";
  };
  button.addEventListener("click", () => {
    paused = !paused;
    say();
  });
  say();
  document.querySelector(".who")?.before(button);
}

if (document.body.dataset.every) {
  for (const part of liveParts(document)) seen.set(part.id, part.innerHTML);
  last = Date.now();
  offerPause();
  watch();
}
localise(document);
