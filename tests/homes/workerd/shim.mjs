// The Worker around the stage: each request is a task for the object named by its path.

import { DurableObject } from "cloudflare:workers";
import * as stage from "./index.js";

// Whoever waits for a task that may end in a panic: a future that panicked never settles.
const waiting = new Set();
stage.watch((words) => {
  for (const reject of waiting) reject(words);
});

export class Stage extends DurableObject {
  async fetch(request) {
    const task = await request.text();
    let reject;
    const panic = new Promise((_, rejected) => (reject = rejected));
    waiting.add(reject);
    try {
      const answer = await Promise.race([stage.perform(this.ctx, task), panic]);
      return new Response(`{"answer":${answer}}`);
    } catch (error) {
      return Response.json({ panic: String(error) });
    } finally {
      waiting.delete(reject);
    }
  }
}

export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1);
    return env.STAGE.getByName(name).fetch(request);
  },
};
