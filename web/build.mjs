// Builds the pages that web.go embeds, from the folders beside this file into dist/: the scripts of each as one main.js,
// with the client library in it, and all else that a browser loads as it is. The same sources give the same bytes.
import {cp, mkdir, readdir, rm, stat} from 'node:fs/promises';
import {dirname, extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const client = join(here, '../client/src/index.ts'); // by its source: nothing has to be built before

for (const page of ['playground', 'operator']) {
  const source = join(here, page), target = join(here, 'dist', page);
  if (!await stat(source).catch(() => undefined)) continue;
  await rm(target, {recursive: true, force: true});
  await mkdir(target, {recursive: true});
  await build({
    entryPoints: [join(source, 'main.ts')],
    outfile: join(target, 'main.js'),
    absWorkingDir: here, // or else the bytes would depend on where it is run
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    charset: 'utf8',
    legalComments: 'eof',
    alias: {roomgate: client},
    loader: {'.css': 'empty'}, // a stylesheet of a dependency is imported in style.css
    logLevel: 'warning',
  });
  for (const name of await readdir(source)) {
    const from = join(source, name), to = join(target, name);
    if (extname(name) === '.css') await build({entryPoints: [from], outfile: to, bundle: true, minify: true, logLevel: 'warning'});
    else if (['.html', '.svg'].includes(extname(name))) await cp(from, to);
  }
  for (const name of (await readdir(target)).sort()) {
    console.log(`${page}/${name}`.padEnd(28), String((await stat(join(target, name))).size).padStart(7), 'bytes');
  }
}
