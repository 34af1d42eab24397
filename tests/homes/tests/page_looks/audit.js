// What is wrong with what can be seen now, one sentence each. Run in the page.
const host = document.querySelector('tau-agent');
const root = host.shadowRoot;
const wrong = [];

const wide = document.documentElement.scrollWidth - innerWidth;
if (wide > 0) wrong.push(`the page is ${wide} px wider than the window`);

// What scrolls by itself may be wider than what can be seen of it.
const edge = host.getBoundingClientRect().right + 1;
for (const element of root.querySelectorAll('.main *, .sidebar *')) {
  if (element.closest('pre, .table, .unseen, textarea, [inert]') || !element.checkVisibility({ visibilityProperty: true })) continue;
  const { right, width } = element.getBoundingClientRect();
  if (width > 0 && right > edge) wrong.push(`${describe(element)} reaches ${Math.round(right - edge)} px beyond the element`);
}

const brush = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });

/** Any CSS colour as red, green, blue (0 to 255) and opacity (0 to 1). */
function rgba(color) {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = color;
  brush.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = ([r, g, b, a], below) => [r, g, b].map((value, place) => value * a + below[place] * (1 - a));
const above = (element) => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host;

/** The colour behind an element, as far as backgrounds go. */
function ground(element) {
  const layers = [];
  for (let at = element; at; at = above(at)) {
    const layer = rgba(getComputedStyle(at).backgroundColor);
    layers.unshift(layer);
    if (layer[3] === 1) break;
  }
  return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
}

/** WCAG 2.2, relative luminance. */
function luminance(color) {
  const [r, g, b] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(front, back) {
  const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function describe(element) {
  return `<${element.localName} class="${element.getAttribute('class') ?? ''}"> ${JSON.stringify((element.textContent ?? '').trim().slice(0, 30))}`;
}

/** Whether a point of the element is on top of everything else. */
function isSeen(element, { left, top, width, height }) {
  const top_most = root.elementFromPoint(left + width / 2, top + height / 2);
  return top_most !== null && (element.contains(top_most) || top_most.contains(element));
}

function check(element, color, box, what) {
  if (element.closest(':disabled, [aria-disabled=true]') || !isSeen(element, box)) return;
  const back = ground(element);
  const ratio = contrast(over(rgba(color), back), back);
  const { fontSize, fontWeight } = getComputedStyle(element);
  const size = parseFloat(fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700) ? 3 : 4.5;
  if (ratio < needed) wrong.push(`${what} of ${describe(element)} has a contrast of ${ratio.toFixed(2)}, below ${needed}`);
}

let texts = 0;
const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!element || node.data.trim() === '' || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getClientRects()[0];
  if (!box || box.width === 0) continue;
  texts += 1;
  check(element, getComputedStyle(element).color, box, 'the text');
}
for (const element of root.querySelectorAll('input, textarea')) {
  if (element.value || !element.placeholder || !element.checkVisibility({ visibilityProperty: true })) continue;
  check(element, getComputedStyle(element, '::placeholder').color, element.getBoundingClientRect(), 'the placeholder');
}
if (texts === 0) wrong.push('nothing can be read');
return [...new Set(wrong)];
