// What the runtime sees, as small as it can be: it calls these classes, and they call the module.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as hello from "./index.js";

export default class extends WorkerEntrypoint {
  fetch(request) {
    return hello.fetch(request, this.env, this.ctx);
  }
}

export class Greeter extends DurableObject {
  object = new hello.Greeter(this.ctx, this.env);

  fetch(request) {
    return this.object.fetch(request);
  }
}
