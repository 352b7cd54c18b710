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
