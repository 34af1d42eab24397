/** The drawings: one path each on a 24 by 24 grid, in the colour of the text around them. */

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
  tau: 'M4.5 9.2c.9-2.3 2.4-3.2 4.6-3.2H20M12.4 6v8.6c0 2.4 1 3.6 2.9 3.6 1 0 1.9-.4 2.6-1.1',
  menu: 'M4 7h16M4 12h16M4 17h10',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5L20 20',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  undo: 'M9 7L4.5 11.5 9 16M5 11.5h9a5 5 0 0 1 5 5V18',
  redo: 'M15 7l4.5 4.5L15 16M19 11.5h-9a5 5 0 0 0-5 5V18',
  again: 'M19 12a7 7 0 1 1-2.1-5M19 4v4h-4',
  edit: 'M5 19l.8-3.6L15.6 5.6a1.6 1.6 0 0 1 2.3 0l.5.5a1.6 1.6 0 0 1 0 2.3L8.6 18.2z',
  copy: 'M9 9h10v10H9zM15 9V5H5v10h4',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  previous: 'M14 7l-5 5 5 5',
  next: 'M10 7l5 5-5 5',
  down: 'M12 5v14M6 13l6 6 6-6',
  branch: 'M7 6v12M7 8.5a3 3 0 0 0 3 3h4a3 3 0 0 0 3-3V6M4.8 6h4.4M14.8 6h4.4',
  trash: 'M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7',
  download: 'M12 5v10M8 11.5l4 4 4-4M5 19h14',
  fold: 'M12 4v5M9.5 6.5L12 9l2.5-2.5M12 20v-5M9.5 17.5L12 15l2.5 2.5M5 12h14',
  talk: 'M5 6h14v9.5H11L7 19v-3.5H5z',
  memory: 'M7 4h10v16l-5-3.6L7 20z',
  identity: 'M12 4l7 2.6v4.9c0 4-2.9 7-7 8.5-4.1-1.5-7-4.5-7-8.5V6.6zM9 12l2.2 2.2L15.2 10',
  settings: 'M4 8h8M18 8h2M4 16h2M12 16h8M15 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM9 13.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z',
  keyboard: 'M4 7h16v10H4zM7.5 10.5h.01M11 10.5h.01M14.5 10.5h.01M8.5 14h7',
  light: 'M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM12 3.5v1.5M12 19v1.5M3.5 12H5M19 12h1.5M6 6l1 1M17 17l1 1M18 6l-1 1M7 17l-1 1',
  dark: 'M18.5 14.5A7.5 7.5 0 0 1 9.5 5.5a7 7 0 1 0 9 9z',
  auto: 'M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM12 5v14',
  check: 'M5.5 12.5l4 4 9-9',
  warning: 'M12 4.5l8.5 15h-17zM12 10.5v4M12 17h.01',
  offline: 'M4.5 4.5l15 15M8 12.6a6 6 0 0 1 2.3-1.3M4.8 9.2a10 10 0 0 1 3-1.8M12 6.3a10.4 10.4 0 0 1 7.2 2.9M15 12.1l1 .5M12 17.5h.01',
  key: 'M8 11.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10.5 12.5L19 4M15.5 7.5l2.5 2.5',
  lock: 'M7 11h10v8H7zM9 11V8.5a3 3 0 0 1 6 0V11',
  tool: 'M14.5 6.5a3.8 3.8 0 0 0-5 4.8L5 15.8V19h3.2l4.5-4.5a3.8 3.8 0 0 0 4.8-5l-2.3 2.3-2.6-.4-.4-2.6z',
  thought: 'M12 5a5.5 5.5 0 0 0-3 10.1V17h6v-1.9A5.5 5.5 0 0 0 12 5zM10 20h4',
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * One drawing; decoration, so hidden from assistive technology: the control around it has a name.
 *
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
