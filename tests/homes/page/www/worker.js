// The Web Worker: fetches tasks, does them, brings the results.

import load, { perform, watch } from "./tau.js";

await load();

// A future that panicked never settles, so the words come this way.
const panic = new Promise((_, reject) => watch(reject));
panic.catch(() => {});

async function result(task) {
  try {
    const answer = await Promise.race([perform(task), panic]);
    return { text: `{"answer":${answer}}`, goesOn: !JSON.parse(answer).played?.next };
  } catch (error) {
    return { text: JSON.stringify({ panic: String(error) }), goesOn: false };
  }
}

let goesOn = true;
while (goesOn) {
  const task = await (await fetch("/next")).text();
  const done = await result(task);
  await fetch("/result", { method: "POST", body: done.text });
  goesOn = done.goesOn;
}
postMessage("over");
