// Rolls dice, in AssemblyScript: {"sides": 6, "count": 2} comes in, {"rolls": [3, 5], "sum": 8} goes out.
// Asks for randomness, without which every roll would be foreseen.

function numberOf(text: string, name: string, otherwise: i32): i32 {
  const at = text.indexOf('"' + name + '"');
  if (at < 0) return otherwise;
  const colon = text.indexOf(":", at);
  return <i32>parseInt(text.substring(colon + 1));
}
const input = process.stdin;
const buffer = new ArrayBuffer(4096);
const length = input.read(buffer);
const text = String.UTF8.decode(buffer.slice(0, length > 0 ? length : 0));
const sides = numberOf(text, "sides", 6);
const count = numberOf(text, "count", 1);
if (sides < 2 || sides > 1000 || count < 1 || count > 100) {
  process.stderr.write("2 to 1000 sides, 1 to 100 dice\n");
  process.exit(1);
}
let sum = 0;
const rolls = new Array<string>();
for (let i = 0; i < count; i++) {
  const roll = 1 + <i32>Math.floor(Math.random() * sides);
  sum += roll;
  rolls.push(roll.toString());
}
process.stdout.write('{"rolls":[' + rolls.join(",") + '],"sum":' + sum.toString() + "}\n");
