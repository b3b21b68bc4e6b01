// Runs in the page: what is without a name, out of the window, too small for a finger, too pale.
export function examine(phone) {
  const found = [];
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    && element.getBoundingClientRect().width > 1;
  const say = (element, words) =>
    found.push(`${element.tagName.toLowerCase()}#${element.id}.${element.className} "${element.textContent.trim().slice(0, 30)}": ${words}`);
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) found.push(`the page is ${wide} wide in a window of ${window.innerWidth}`);
  const dialog = document.querySelector("dialog[open]");
  const root = dialog || document.body;
  for (const element of root.querySelectorAll("button, a, input, select, canvas, summary, progress")) {
    if (!seen(element) || element.classList.contains("skip")) continue;
    const label = element.getAttribute("aria-label") || element.textContent.trim()
      || [...(element.labels || [])].map((each) => each.textContent.trim()).join("");
    if (!label) say(element, "has no name");
    const box = element.getBoundingClientRect();
    if (box.left < -1 || box.right > window.innerWidth + 1) say(element, `lies outside the window: ${Math.round(box.left)} to ${Math.round(box.right)}`);
    const small = Math.min(box.width, box.height);
    if (phone && element.type !== "checkbox" && element.tagName !== "PROGRESS" && small < 24) say(element, `is ${Math.round(small)} pixels small`);
  }
  const numbers = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.7) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of root.querySelectorAll("*")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !seen(element) || element.disabled || element.closest("[disabled], .skip, .hidden")) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) say(element, `contrast ${ratio.toFixed(2)}`);
  }
  return found;
}
