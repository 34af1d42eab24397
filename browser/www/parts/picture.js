/**
 * A picture of a conversation, drawn from its bytes: no address is loaded, so a strict content
 * security policy needs no exception.
 */

import { h } from './dom.js';

/** @param {{ mime: string, data: string }} image */
export function picture({ mime, data }) {
  const canvas = h('canvas', { class: 'picture', role: 'img', 'aria-label': 'Picture in this conversation' });
  draw(canvas, mime, data).catch(() => canvas.replaceWith(h('p', { class: 'help' }, `A picture (${mime}) that this browser cannot show.`)));
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} mime
 * @param {string} data base64
 */
async function draw(canvas, mime, data) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: mime }));
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
}
