// Keeps the page fresh: asks for the journal's last number and swaps the live parts when it has moved.
"use strict";

const LIVE = ["lists", "screen"];
const EVERY = 700;
let last = document.body.dataset.last;

function toEnd() {
  const screen = document.getElementById("screen");
  if (screen) screen.scrollTop = screen.scrollHeight;
}

function atEnd(element) {
  return element.scrollHeight - element.scrollTop - element.clientHeight < 80;
}

async function refresh() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!document.getElementById("screen") && fresh.getElementById("screen")) {
    location.reload();
    return;
  }
  for (const id of LIVE) {
    const here = document.getElementById(id);
    const there = fresh.getElementById(id);
    if (!here || !there || here.innerHTML === there.innerHTML) continue;
    const follow = id === "screen" && atEnd(here);
    here.replaceChildren(...there.childNodes);
    if (follow) toEnd();
  }
  last = fresh.body.dataset.last;
}

async function watch() {
  try {
    const pulse = await (await fetch("/_page/pulse")).json();
    if (String(pulse.last) !== last) await refresh();
  } catch {
    // The sandbox is away for a moment; the next turn asks again.
  }
  setTimeout(watch, document.hidden ? EVERY * 5 : EVERY);
}

document.addEventListener("change", (event) => {
  if (event.target.type === "file" && event.target.files.length) event.target.form.requestSubmit();
});

toEnd();
watch();
