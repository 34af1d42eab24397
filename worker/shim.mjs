// What the runtime sees: it calls these classes, and they call the module.
//
// A panic leaves the module's memory in an unknown state, so everything in it is given up: the
// next call begins with a new instance, and each object is made anew from what it has stored.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as tau from "./index.js";

const state = tau.__worker_init_state();

function recover() {
  if (state.criticalError) {
    state.criticalError = false;
    tau.__wbg_reset_state();
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    recover();
    return tau.fetch(request, this.env, this.ctx);
  }
}

const hosted = (Class) =>
  class extends DurableObject {
    get object() {
      recover();
      if (this.instance !== state.instanceId) {
        this.made = new Class(this.ctx, this.env);
        this.instance = state.instanceId;
      }
      return this.made;
    }

    fetch(request) {
      return this.object.fetch(request);
    }

    alarm() {
      return this.object.alarm();
    }
  };

export const SessionObject = hosted(tau.SessionObject);
export const Directory = hosted(tau.Directory);
