// The page: its Web Worker plays, and when a process is to end, everything is loaded again.

const worker = new Worker("worker.js", { type: "module" });

worker.onmessage = () => location.reload();

worker.onerror = (event) => {
  // What happens after a task was taken is told by the Worker itself, with the panic's words, and
  // ends in a reload; this is for what happens before it.
  const told = `the Web Worker broke: ${event.message}`;
  setTimeout(() => fetch("/broken", { method: "POST", body: told }), 2000);
};
