// Light, dark, or as the system is.
import { announce } from "./dom.js";

const ORDER = ["", "light", "dark"];

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

export function nextTheme() {
  const name = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
  setTheme(name);
  announce(name ? `${name} theme` : "theme of the system");
}

setTheme(read());
