// What htmx leaves open. Without this file every page works all the same.
"use strict";

// The address of a list says what narrows it down, and nothing else.
document.addEventListener("htmx:configRequest", (event) => {
  const { parameters, verb } = event.detail;
  if (verb !== "get") return;
  for (const [name, value] of [...parameters.entries()]) {
    if (value === "") parameters.delete(name);
  }
});

// A list that could not be fetched says so, and stays.
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => document.body.classList.add("offline"));
}
document.addEventListener("htmx:afterOnLoad", () => document.body.classList.remove("offline"));

// What floats above the page closes on Escape, and when something else is chosen.
const floating = "details.message[open], details.menu[open]";
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll(floating)) {
    open.open = false;
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(floating)) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// The key / leads to the search, except where it is typed into a field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const field = document.getElementById("search");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// What was open stays so when the list that it is in comes anew.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  opened = [...event.detail.target.querySelectorAll("details[open][id]")].map(({ id }) => id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened.splice(0)) document.getElementById(id)?.setAttribute("open", "");
});

// The list of batches follows what runs, as long as somebody looks at it.
const watched = document.querySelector("[data-events]");
if (watched) {
  let source, running, asked, again;
  const refresh = async () => {
    again = true;
    if (asked) return;
    asked = true;
    while (again) {
      again = false;
      const part = document.getElementById("batches-refresh");
      const list = { source: part, target: "#batches", select: "#batches", swap: "outerHTML" };
      // What could not be fetched comes with the next news, or in 30 seconds.
      await htmx.ajax("GET", part.getAttribute("hx-get"), list).catch(() => {});
    }
    asked = false;
  };
  const follow = () => {
    source?.close();
    if (document.hidden) return;
    // Something may have ended between the page and the first news.
    running = undefined;
    source = new EventSource(watched.dataset.events);
    source.addEventListener("progress", (event) => {
      const batches = JSON.parse(event.data);
      for (const { id, done, total, text } of batches) {
        const bar = document.getElementById(`progress-${id}`);
        const words = watched.querySelector(`[data-of="${id}"]`);
        if (bar && total > 0) {
          bar.max = total;
          bar.value = done;
        }
        if (words) words.textContent = text;
      }
      const now = batches.map(({ id }) => `${id}`).sort().join();
      if (now !== running) {
        running = now;
        refresh();
      }
    });
    source.addEventListener("queue", refresh);
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && follow());
}

// An update tells how it goes on. Whoever answers may be another release than the one that made this
// page: then the page is made anew by it.
const told = document.querySelector("[data-story]");
if (told) {
  let source;
  const follow = () => {
    source?.close();
    source = new EventSource(told.dataset.story);
    source.addEventListener("story", (event) => {
      const { version, sentence, html } = JSON.parse(event.data);
      if (version !== told.dataset.version) {
        source.close();
        location.reload();
        return;
      }
      const said = document.getElementById("update-sentence");
      if (sentence && said.textContent !== sentence) said.textContent = sentence;
      htmx.swap(told, html, { swapStyle: "innerHTML" });
    });
    source.addEventListener("error", () => {
      // Where nobody may watch any more, the page itself says why.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
    });
  };
  follow();
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && follow());
}

// A service that starts is gone for a moment: the page goes on once it answers.
const starting = document.querySelector("[data-ready]");
if (starting) {
  const look = async () => {
    const answer = await fetch(starting.dataset.ready, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.assign(starting.dataset.then);
    else setTimeout(look, 500);
  };
  look();
}
