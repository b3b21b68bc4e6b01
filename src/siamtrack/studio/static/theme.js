// Light, dark, or as the system is.
import { announce } from "./dom.js";

function read() {
  try {
    return localStorage.getItem("theme") || "";
  } catch {
    return "";
  }
}

export function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  try {
    localStorage.setItem("theme", name);
  } catch {
    // private windows may not keep it
  }
}

// The other of the two: what is seen changes with each click. The system's own is followed again
// where it is the one that was wanted.
export function nextTheme() {
  const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (read() || system) === "dark" ? "light" : "dark";
  setTheme(other === system ? "" : other);
  announce(`${other} theme`);
}

setTheme(read());
