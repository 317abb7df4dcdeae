// The pictures of docs/images: npm run -w web screenshots
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {demo, Publisher} from './start';
import {expect, test} from './watched';

const images = join(dirname(fileURLToPath(import.meta.url)), '../../docs/images');

for (const [name, look] of Object.entries({
  light: {colorScheme: 'light', viewport: {width: 1120, height: 900}},
  dark: {colorScheme: 'dark', viewport: {width: 1120, height: 900}},
  narrow: {colorScheme: 'light', viewport: {width: 390, height: 844}},
} as const)) {
  test.describe(name, () => {
    test.use(look);
    test('a picture of the playground', async ({page}) => {
      const d = await (await demo()).start() as Awaited<ReturnType<typeof demo>>;
      await page.goto(d.page);
      await expect(page.locator('#state-text')).toHaveText('Connected');
      await page.fill('#join-room', 'chat:lunch');
      await page.press('#join-room', 'Enter');
      await expect(page.locator('#rooms button')).toHaveCount(2);
      await page.locator('#rooms button').first().click();
      const backend = await Publisher.connect(d.redisPort());
      for (const payload of ['{"text":"hi, from redis-cli"}', '{"order":1042,"state":"paid","total":"12.90"}', 'plain text will do', '{"typing":"Ada"}']) {
        backend.publish('42', payload);
        await page.waitForTimeout(120); // so that the times on the picture differ
      }
      await page.fill('#text', 'hello from a browser');
      await page.click('#send');
      await page.click('[data-simulate=redis]');
      await expect(page.locator('#story li').filter({hasText: 'gap'}).first()).toBeVisible();
      backend.end();
      await page.fill('#try-room', 'chat:lunch');
      await page.waitForTimeout(9000); // for the line of latencies
      await page.evaluate(() => {
        (document.activeElement as HTMLElement).blur();
        scrollTo(0, 0);
      });
      expect(await page.evaluate(() => scrollY)).toBe(0);
      await page.screenshot({path: join(images, `playground-${name}.png`)});
      await d.stop();
    });
  });
}
