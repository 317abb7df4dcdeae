import {existsSync} from 'node:fs';
import {defineConfig} from '@playwright/test';

// The system's own browser: no download, and the one that is updated with the system.
const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const browser = places.find(place => place && existsSync(place));
if (!browser) throw new Error('there is no Chromium: apt-get install chromium, or name one in CHROMIUM');

const root = process.getuid?.() === 0; // Chromium's sandbox does not run as root

export default defineConfig({
  testDir: '.',
  testMatch: process.env.SCREENSHOTS ? '*.screenshots.ts' : '*.spec.ts',
  outputDir: '../../dist/e2e',
  workers: 1, // the tests measure, too
  retries: 0,
  forbidOnly: true,
  timeout: 45_000,
  expect: {timeout: 10_000},
  reporter: 'list',
  use: {
    browserName: 'chromium',
    viewport: {width: 1280, height: 900},
    launchOptions: {executablePath: browser, args: root ? ['--no-sandbox'] : []},
  },
});
