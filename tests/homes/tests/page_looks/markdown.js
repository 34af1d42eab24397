// What the page's own Markdown makes of a text. Run in the page: text in, tree and time out.
const { parse, split } = await import('/parts/markdown.js');
const begin = performance.now();
const blocks = split(given.text).map((block) => parse(block));
return { blocks: given.text.length > 10000 ? [] : blocks, ms: performance.now() - begin };
