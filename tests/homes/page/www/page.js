// The page: its Web Worker plays, and when a process is to end, everything is loaded again.

const worker = new Worker("worker.js", { type: "module" });

worker.onmessage = () => location.reload();

worker.onerror = (event) => {
  // What happens after a task was taken is told by the Worker itself; this is before it.
  fetch("/broken", { method: "POST", body: `the Web Worker broke: ${event.message}` });
};
