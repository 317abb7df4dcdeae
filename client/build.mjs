// Builds dist: one minified module, and the types. Fails if the module, compressed, is larger than we say it is.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const most = 4096; // bytes, as gzip -9 counts
process.chdir(fileURLToPath(new URL('.', import.meta.url)));

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/index.js',
  bundle: true,
  minify: true,
  mangleProps: /^_/, // what modules of this package call each other
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
});
execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
copyFileSync('../LICENSE', 'LICENSE');

const code = readFileSync('dist/index.js');
const gzip = execFileSync('gzip', ['-9', '-c', 'dist/index.js']).length;
const zlib = gzipSync(code, { level: 9 }).length; // of this Node: they differ
console.log(`dist/index.js: ${code.length} bytes, ${gzip} with gzip -9, ${zlib} with Node's zlib, of at most ${most}`);
if (gzip > most) process.exit(1);
