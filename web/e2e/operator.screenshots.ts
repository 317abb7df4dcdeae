// The pictures of the operator's view in docs/images: npm run -w web screenshots. They take a quarter of an hour, as much as
// the plots show; OPERATOR_MINUTES=1 is for a look.
import type {Page} from '@playwright/test';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {freePort, gateway, Publisher, redisServer, token, type Gateway, type Program} from './start';
import {Talker} from './talker';
import {expect, test} from './watched';

const images = join(dirname(fileURLToPath(import.meta.url)), '../../docs/images');
const minutes = Number(process.env.OPERATOR_MINUTES ?? 15);
const rooms = ['lobby', 'orders', 'org:7:chat', 'org:7:alerts', 'org:12:chat', 'match:1042', 'match:1043', 'match:1044', 'auction:88', 'doc:onboarding', 'doc:roadmap'];
const users = ['ada', 'ben', 'chiara', 'dmitri', 'emeka', 'farah', 'gustav', 'hana', 'ines', 'jonas', 'kaya', 'liang'];

/** A day of a small service in a quarter of an hour: people come and go, talk, and Redis restarts once. */
async function live(redisPort: number, redis: Program, g: Gateway, over: () => boolean): Promise<void> {
  const tokens = users.map(user => token(user, ...rooms));
  const here: Talker[] = [];
  let backend = await Publisher.connect(redisPort);
  const steps = Math.round(minutes * 60);
  for (let step = 0; !over(); step++) {
    const second = new Promise(done => setTimeout(done, 1000));
    const wanted = 90 + 60 * Math.sin(step / steps * 5) + 8 * Math.sin(step / 9);
    while (here.length > wanted) here.shift()?.end();
    for (let i = 0; here.length < wanted && i < 4; i++) {
      const n = step + i * 7;
      const room = rooms[Math.floor(rooms.length * (n * .618 % 1) ** 2)]!; // some rooms are larger
      await Talker.connect(g.page, tokens[n % users.length]!, room).then(t => here.push(t), () => {});
    }
    for (let i = 0; i < 25 + 20 * Math.sin(step / 40) + step % 5; i++) backend.publish(rooms[i * i % rooms.length]!, `{"n":${step}}`);
    for (let i = 0; i < 9; i++) here[i * 3 + step % 3]?.say({type: 'publish', room: rooms[i % 4], data: step});
    if (step % 97 === 60) (await Talker.connect(g.page, 'not-a-token')).end();
    if (step === Math.round(steps * .7)) {
      await redis.stop('SIGKILL');
      await redis.start();
      backend = await Publisher.connect(redisPort);
    }
    await second;
  }
}

test('pictures of the operator\'s view', async ({browser}) => {
  test.setTimeout((minutes + 3) * 60_000);
  const redisPort = await freePort();
  const redis = await redisServer(redisPort).start();
  const g = await (await gateway(redisPort)).start() as Gateway;
  const pages: [string, Page][] = [];
  for (const [name, look] of Object.entries({
    light: {colorScheme: 'light', viewport: {width: 1440, height: 1000}},
    dark: {colorScheme: 'dark', viewport: {width: 1440, height: 1000}},
    narrow: {colorScheme: 'light', viewport: {width: 390, height: 844}},
  } as const)) pages.push([name, await browser.newPage({...look, timezoneId: 'UTC'})]);
  for (const [, page] of pages) await page.goto(g.admin);
  let over = false;
  const living = live(redisPort, redis, g, () => over);
  await pages[0]![1].waitForTimeout(minutes * 60_000);
  for (const [name, page] of pages) {
    await page.bringToFront();
    await expect(page.locator('#by-messages tbody tr').first()).toBeVisible({timeout: 30_000});
    await page.screenshot({path: join(images, `operator-${name}.png`)});
    await page.close();
  }
  over = true;
  await living;
  await g.stop();
  await redis.stop();
});
