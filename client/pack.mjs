// Fails if the package would hold anything but what belongs into it.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const belongs = [
  'LICENSE', 'README.md', 'package.json',
  'dist/index.js', ...['index', 'roomgate', 'types'].map((name) => `dist/${name}.d.ts`), // those that the first leads to
].sort();
const cwd = fileURLToPath(new URL('.', import.meta.url));
const [pack] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd, encoding: 'utf8' }));
const holds = pack.files.map((file) => file.path).sort();
console.log(`${pack.filename}: ${pack.size} bytes, ${holds.join(' ')}`);
if (holds.join() !== belongs.join()) {
  console.error(`It should hold ${belongs.join(' ')}`);
  process.exit(1);
}
