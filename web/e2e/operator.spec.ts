import {freePort, gateway, Publisher, redisServer, token, type Gateway, type Program} from './start';
import {Talker} from './talker';
import {expect, expectAccessible, test} from './watched';

const slowly = {timeout: 20_000}; // the gateway takes a sample each 5 s, and the page looks as often
const payload = 'a-payload-of-somebody';

test.describe.configure({mode: 'serial'});

test.describe('a gateway with clients', () => {
  let redisPort: number, redis: Program, g: Gateway, backend: Publisher, talking: NodeJS.Timeout;
  const talkers: Talker[] = [];

  test.beforeAll(async () => {
    redisPort = await freePort();
    redis = await redisServer(redisPort).start();
    g = await (await gateway(redisPort, '--redis.canary_timeout', '6s')).start() as Gateway; // the default: a Redis that is gone is told soon
    backend = await Publisher.connect(redisPort);
    for (const [sub, room, n] of [['ada', 'orders', 12], ['ben', 'chat:lunch', 5], ['cy', 'quiet', 1]] as const) {
      const jwt = token(sub, room);
      for (let i = 0; i < n; i++) talkers.push(await Talker.connect(g.page, jwt));
    }
    talking = setInterval(() => talkers[0]!.say({type: 'publish', room: 'orders', data: payload}), 1000);
    await Talker.connect(g.page, 'no-token');
  });
  test.afterAll(async () => {
    clearInterval(talking);
    talkers.forEach(t => t.end());
    backend.end();
    await g.stop();
    await redis.stop();
  });

  test('the page shows how many there are, in which rooms, who talks, what was refused, and how fast messages pass', async ({page}) => {
    const publishing = backend.publishAt(200, 12, 'chat:lunch', n => `{"n":${n},"text":"${payload}"}`);
    await page.goto(g.admin);
    await expect(page.locator('#state')).toHaveText('Ready');
    await expect(page.locator('#connections')).toHaveText('18');
    await expect(page.locator('#rooms')).toHaveText('3');
    await expect(page.locator('#redis')).toHaveText('up');
    await expect(page.locator('#by-members tbody tr')).toHaveText([/^orders12/, /^chat:lunch5/, /^quiet1/]);
    await expect(page.locator('#by-messages tbody tr').filter({hasText: 'orders'})).toHaveText(/^orders12/, slowly);
    await expect(page.locator('#talkers tbody tr').first()).toHaveText(/^ada12/);
    await expect(page.locator('#events tbody tr').filter({hasText: 'auth failed'}).first()).toContainText('malformed');
    await expect(page.locator('#auth-failures tbody tr'), 'a sample later').toHaveText([/^malformed11/], slowly);
    await expect(page.locator('#closed tbody tr')).toHaveText([/^token invalid11/]);
    await expect(page.locator('#verdict')).toHaveText(/^All is well: Redis answers in/);
    await expect(page.locator('#by-messages tbody tr').first()).toHaveText(/^chat:lunch5/);
    const deliveries = page.locator('figure').filter({hasText: 'Deliveries to clients'}).locator('.value');
    await expect(async () => {
      const shown = Number((await deliveries.textContent())!.replace('K', 'e3'));
      expect(shown).toBeGreaterThan(500); // 200 a second to 5 members
      expect(shown).toBeLessThan(1500);
    }).toPass(slowly);
    await publishing;
    expect(await page.locator('figure canvas').count()).toBe(8);
  });

  test('no payload and no token is in the page or in what it reads', async ({page, request}) => {
    await page.goto(g.admin);
    await expect(page.locator('#connections')).toHaveText('18');
    const json = await (await request.get(`${g.admin}/overview.json`)).text();
    expect(json).toContain('"room":"orders"');
    for (const text of [json, await page.content(), await page.locator('body').innerText()]) {
      expect(text).not.toContain(payload);
      expect(text).not.toContain('eyJ'); // as each token begins
      expect(text).not.toContain('no-token');
    }
  });

  test('the keyboard walks through a plot, pauses the page, and skips to the figures', async ({page}) => {
    await page.goto(g.admin);
    await expect(page.locator('#connections')).toHaveText('18');
    await page.keyboard.press('Tab');
    await expect(page.locator('.skip')).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.locator('#tiles')).toBeFocused();
    await page.keyboard.press('Tab');
    const plot = page.locator('figure').first();
    await expect(plot.locator('.plot')).toBeFocused();
    await page.keyboard.press('ArrowLeft');
    await expect(plot.locator('.when')).toHaveText(/^\d\d:\d\d:\d\d$/);
    await expect(page.locator('.when').last(), 'all plots show that moment').toHaveText(/^\d\d:\d\d:\d\d$/);
    await page.keyboard.press('Tab');
    await expect(plot.locator('.when')).toHaveText('');
    await page.locator('#pause').focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('#pause')).toHaveAttribute('aria-pressed', 'true');
  });

  test('a page that is paused or hidden asks nothing', async ({page}) => {
    let asked = 0;
    page.on('request', r => { if (r.url().endsWith('/overview.json')) asked++; });
    await page.clock.install();
    await page.goto(g.admin);
    await expect(page.locator('#connections')).toHaveText('18');
    await page.click('#pause');
    const before = asked;
    await page.clock.runFor(60_000);
    expect(asked).toBe(before);
    await expect(page.locator('#silent')).toBeHidden();
    await expect(page.locator('#state'), 'green would be a lie').toHaveText('Paused');
    await expect(page.locator('#verdict')).toHaveText(/^What stands below is \d+ s old$/);
    await page.click('#pause');
    await expect.poll(() => asked).toBe(before + 1);
    await page.evaluate(() => Object.defineProperty(document, 'hidden', {value: true, configurable: true}));
    await page.clock.runFor(60_000);
    expect(asked).toBe(before + 1);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', {value: false});
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await expect.poll(() => asked, 'who comes back sees what is now').toBe(before + 2);
  });

  for (const [name, look] of Object.entries({
    light: {colorScheme: 'light', viewport: {width: 1280, height: 900}},
    dark: {colorScheme: 'dark', viewport: {width: 1280, height: 900}},
    narrow: {colorScheme: 'dark', viewport: {width: 360, height: 800}},
  } as const)) {
    test.describe(name, () => {
      test.use(look);
      test('axe finds nothing, and nothing is cut off', async ({page}) => {
        test.slow(); // axe reads everything
        await page.goto(g.admin);
        await expect(page.locator('#connections')).toHaveText('18');
        await page.click('#pause'); // or else the next look would hide the banners
        await page.locator('#drain, #silent').evaluateAll(banners => banners.forEach(b => { (b as HTMLElement).hidden = false; }));
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        await expectAccessible(page);
      });
    });
  }

  test('Redis that is stopped is shown as such, and why, until it is back', async ({page}) => {
    await page.goto(g.admin);
    await expect(page.locator('#redis')).toHaveText('up');
    await redis.stop('SIGKILL');
    await expect(page.locator('#redis')).toHaveText('down', slowly);
    await expect(page.locator('#redis-more')).toContainText('redis: unproven for');
    await expect(page.locator('#state')).toHaveText('Not ready');
    await expect(page.locator('#verdict')).toContainText('connection refused');
    await expect(page.locator('#events tbody tr').filter({hasText: 'redis connection lost'})).not.toHaveCount(0);
    await redis.start();
    await expect(page.locator('#redis')).toHaveText('up', slowly);
    await expect(page.locator('#state')).toHaveText('Ready', slowly);
    await expect(page.locator('#verdict'), 'it tells what happened').toHaveText(/^Of late: 18 clients told of a gap, \d+ failed connections? to Redis/, slowly);
  });

  test('a gateway that does not answer: the page says how old its figures are, until it does', async ({page}) => {
    await page.goto(g.admin);
    await expect(page.locator('#state')).toHaveText('Ready');
    await g.stop('SIGKILL');
    await expect(page.locator('#silent-age')).toHaveText(/^The last answer came \d+ s ago/, slowly);
    await expect(page.locator('#state')).toHaveText('No answer');
    await expect(page.locator('#verdict'), 'nothing is well with what is dead').toHaveText('');
    await expect(page).toHaveTitle(/^No answer/);
    await g.start();
    await expect(page.locator('#silent')).toBeHidden(slowly);
    await expect(page.locator('#state')).toHaveText('Ready');
    await expect(page.locator('#connections')).toHaveText('0');
  });
});

test.describe('a gateway that drains', () => {
  let redis: Program, g: Gateway;
  const talkers: Talker[] = [];
  test.beforeAll(async () => {
    const redisPort = await freePort();
    redis = await redisServer(redisPort).start();
    g = await (await gateway(redisPort, '--drain.delay', '6s', '--drain.period', '5s')).start() as Gateway;
    const jwt = token('ada', 'orders');
    for (let i = 0; i < 30; i++) talkers.push(await Talker.connect(g.page, jwt));
  });
  test.afterAll(async () => {
    talkers.forEach(t => t.end());
    await g.stop();
    await redis.stop();
  });

  test('its page shows how far it has come', async ({page}) => {
    await page.goto(g.admin);
    await expect(page.locator('#connections')).toHaveText('30');
    await expect(page.locator('#drain')).toBeHidden();
    const ended = g.stop(); // SIGTERM
    await expect(page.locator('#drain-text')).toContainText('new clients are let in for 6 s');
    await expect(page.locator('#state')).toHaveText('Draining');
    await expect(page.locator('#drain-text')).toHaveText(/: \d+ of 30 connections are closed, evenly over 5 s\.$/);
    const done = () => page.locator('#drain-bar').evaluate(bar => (bar as HTMLProgressElement).value);
    const first = await done();
    await expect.poll(done).toBeGreaterThan(first + 5);
    expect(await page.locator('#drain-bar').evaluate(bar => (bar as HTMLProgressElement).max)).toBe(30);
    await ended;
    await expect(page.locator('#state')).toHaveText('No answer', slowly);
  });
});
