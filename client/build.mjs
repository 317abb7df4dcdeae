// Builds dist: one minified module, and the types. Fails if the module, compressed, is larger than we say it is.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const most = 4096; // bytes
process.chdir(fileURLToPath(new URL('.', import.meta.url)));

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/index.js',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
});
execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
copyFileSync('../LICENSE', 'LICENSE');

const code = readFileSync('dist/index.js');
const size = gzipSync(code, { level: 9 }).length;
console.log(`dist/index.js: ${code.length} bytes, ${size} with gzip, of at most ${most}`);
if (size > most) process.exit(1);
