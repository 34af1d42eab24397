/** Reads a file in a thread of its own: takes its bytes, gives what came of it as JSON. Nothing is sent anywhere. */

import init, { verifyFile } from './tau_agent.js';

addEventListener('message', async ({ data }) => {
  await init();
  postMessage(verifyFile(new Uint8Array(data)));
});
