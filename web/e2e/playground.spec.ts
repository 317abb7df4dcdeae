import {execFileSync} from 'node:child_process';
import type {BrowserContext, Page} from '@playwright/test';
import {demo, freePort, gateway, Publisher, redisServer, token, type Gateway, type Program} from './start';
import {expect, expectAccessible, test} from './watched';

const messages = (page: Page) => page.locator('#messages li');
const story = (page: Page) => page.locator('#story li');

/** A page that is connected with a token of its own for those rooms. */
async function enter(context: BrowserContext, g: Gateway, sub: string, ...rooms: string[]): Promise<Page> {
  const page = await context.newPage();
  await page.goto(g.page);
  await page.fill('#pasted', token(sub, ...rooms));
  await page.click('#use');
  await expect(page.locator('#state-text')).toHaveText('Connected');
  return page;
}

const conn = (page: Page) => page.locator('#footer-conn').textContent();

test.describe('with a real Redis', () => {
  let redis: Program, g: Gateway, redisPort: number;
  test.beforeAll(async () => {
    redisPort = await freePort();
    redis = await redisServer(redisPort).start();
    g = await (await gateway(redisPort)).start() as Gateway;
  });
  test.afterAll(async () => {
    await g?.stop();
    await redis?.stop();
  });

  test('two pages chat through Redis, and hear what a backend publishes', async ({context}) => {
    const [a, b] = [await enter(context, g, 'a', '42'), await enter(context, g, 'b', '42')];
    await a.fill('#text', 'hello from a');
    await a.click('#send');
    for (const page of [a, b]) await expect(messages(page).filter({hasText: '{"text":"hello from a"}'}).first()).toBeVisible();
    const backend = await Publisher.connect(redisPort);
    backend.publish('42', '{"n":1}');
    for (const page of [a, b]) await expect(messages(page).filter({hasText: '{"n":1}'}).first()).toBeVisible();
    backend.publish('42', 'no JSON');
    for (const page of [a, b]) await expect(messages(page).filter({hasText: 'no JSON'}).first()).toBeVisible();
    backend.end();
  });

  test('rooms are joined and left, and each has its own messages and snippets', async ({context}) => {
    const page = await enter(context, g, 'a', '42', 'chat:*');
    await page.fill('#join-room', 'chat:lunch');
    await page.press('#join-room', 'Enter');
    await expect(page.locator('#room-name')).toHaveText('Room chat:lunch');
    await expect(page.locator('#snippet')).toContainText('PUBLISH room:chat:lunch');
    await expect(page.locator('#frames .frame').filter({hasText: 'subscribed'})).toBeVisible();
    const backend = await Publisher.connect(redisPort);
    backend.publish('42', 'for 42');
    await expect(page.locator('#rooms button', {hasText: '42'}).locator('.unread')).toHaveText('1');
    await expect(messages(page)).toHaveCount(0);
    await page.click('#leave');
    await expect(page.locator('#room-name')).toHaveText('Room 42');
    await expect(messages(page).filter({hasText: 'for 42'}).first()).toBeVisible();
    backend.end();
  });

  test('a gateway that is killed and started again: both pages say so, and come back', async ({context}) => {
    const [a, b] = [await enter(context, g, 'a', '42'), await enter(context, g, 'b', '42')];
    await g.stop('SIGKILL');
    for (const page of [a, b]) {
      await expect(page.locator('#state-text')).not.toHaveText('Connected');
      await expect(messages(page).filter({hasText: '1006: the link broke'}).first()).toBeVisible();
    }
    await g.start();
    for (const page of [a, b]) {
      await expect(page.locator('#state-text')).toHaveText('Connected');
      await expect(messages(page).filter({hasText: 'Connected again'})).toBeVisible();
    }
    await b.fill('#text', '"still here"');
    await b.click('#send');
    await expect(messages(a).filter({hasText: 'still here'}).first()).toBeVisible();
  });

  test('Redis restarts: the gap is shown, and the connection stays', async ({context}) => {
    const page = await enter(context, g, 'a', '42');
    const before = await conn(page);
    await redis.stop('SIGKILL');
    await redis.start();
    await expect(messages(page).filter({hasText: 'gap (redis): messages may be missing in room 42'})).toBeVisible();
    await expect(page.locator('#frames .frame[data-warn=true]').filter({hasText: 'gap'})).toBeVisible();
    expect(await conn(page)).toBe(before);
  });

  test('a token in the address is out of it at once, and used by a click', async ({page}) => {
    await page.goto(`${g.page}#token=${token('a', '42')}`);
    await expect(page.locator('#pasted')).toHaveValue(/^eyJ/);
    expect(page.url()).toBe(g.page);
    await page.evaluate(t => { location.hash = `token=${t}`; }, token('b', '42')); // in the page that is open, too
    await expect(page.locator('#claims dd').first()).toHaveText('b');
    await expect(page).toHaveURL(g.page);
    await page.click('#use');
    await expect(page.locator('#state-text')).toHaveText('Connected');
    await expect(page.locator('#footer-conn')).toContainText('sub b');
    expect(await page.evaluate(() => Object.keys(localStorage).length + Object.keys(sessionStorage).length + document.cookie.length)).toBe(0);
  });

  test('a token that is refused is told, with the reason', async ({page}) => {
    await page.goto(g.page);
    const [head, claims] = token('a', '42').split('.');
    await page.fill('#pasted', `${head}.${claims}.${'A'.repeat(43)}`);
    await page.click('#use');
    await expect(page.locator('#state-text')).toHaveText('Closed');
    await expect(page.locator('#state-more')).toContainText('4002');
    await expect(page.locator('#empty')).toContainText('4002');
  });

  test('a page whose origin may not connect is told of the setting', async ({page}) => {
    const strict = await (await gateway(redisPort, '--http.allowed_origins', 'https://app.example.com')).start() as Gateway;
    await page.goto(strict.page);
    await page.fill('#pasted', token('a', '42'));
    await page.click('#use');
    await expect(page.locator('#empty')).toContainText('http.allowed_origins');
    await strict.stop();
  });

  test('a room that is refused or has no such name is not shown as joined', async ({context}) => {
    const page = await enter(context, g, 'a', '42');
    for (let time = 1; time <= 2; time++) {
      await page.fill('#join-room', 'secret');
      await page.press('#join-room', 'Enter');
      await expect(messages(page).filter({hasText: 'forbidden (room secret)'})).toHaveCount(time);
      await expect(page.locator('#room-name')).toHaveText('Room 42');
    }
    await page.fill('#join-room', 'no room');
    await page.press('#join-room', 'Enter');
    expect(await page.locator('#join-room').evaluate((input: HTMLInputElement) => input.validationMessage)).toContain('A room is');
    await expect(page.locator('#room-name')).toHaveText('Room 42');
  });

  test('a token is read before it is used: claims, expiry, and the rooms that it allows', async ({page}) => {
    await page.goto(g.page);
    await page.fill('#pasted', 'not.a-token');
    await expect(page.locator('#token-problem')).toHaveText('a token is three parts with dots between; this has 2');
    await expect(page.locator('#use')).toBeDisabled();
    await page.fill('#pasted', token('u1', '42', 'org:7:*', 'log:**'));
    await expect(page.locator('#claims')).toContainText('u1');
    await expect(page.locator('#expiry')).toHaveText(/^in (59:\d\d min|1 h)$/);
    for (const [room, verdict] of [['42', 'may join, by 42; may publish'], ['org:7:chat', 'may join, by org:7:*; may publish'],
      ['org:7:a:b', 'not by this token'], ['org:7:', 'not by this token'], ['log:a:b', 'may join, by log:**; may publish'], ['a b', 'not a room’s name']]) {
      await page.fill('#try-room', room!);
      await expect(page.locator('#verdict')).toHaveText(verdict!);
    }
    await expect(page.locator('body')).toContainText('does not check signatures');
  });

  test('a page that gets 10,000 messages a second stays responsive, and is no slow consumer', async ({context}) => {
    const page = await enter(context, g, 'a', '42');
    const before = await conn(page);
    await page.evaluate(() => {
      const shared = window as unknown as {longTasks: number};
      shared.longTasks = 0;
      new PerformanceObserver(list => {
        for (const task of list.getEntries()) shared.longTasks += task.duration;
      }).observe({type: 'longtask'});
    });
    const backend = await Publisher.connect(redisPort), seconds = 5;
    const began = Date.now();
    const sent = await backend.publishAt(10_000, seconds, '42', n => `{"n":${n},"text":"one of very many"}`);
    await expect(page.locator('#room-count')).toContainText(`${sent.toLocaleString('en')} messages`);
    const took = Date.now() - began;
    backend.publish('42', '"the last"');
    await expect(messages(page).filter({hasText: 'the last'}).first()).toBeVisible();
    const busy = await page.evaluate(() => (window as unknown as {longTasks: number}).longTasks);
    const nodes = await page.evaluate(() => document.getElementsByTagName('*').length);
    console.log(`${sent} messages in ${took} ms; long tasks ${Math.round(busy)} ms of them; ${nodes} elements in the page`);
    expect(await conn(page)).toBe(before); // not 4102
    expect(busy).toBeLessThan(took * 0.2);
    expect(nodes).toBeLessThan(1500);
    await expect(page.locator('#frames-count')).toContainText('10,000 kept');
    backend.end();
  });

  test('frames are filtered, held and cleared, and one is read whole', async ({context}) => {
    const page = await enter(context, g, 'a', '42');
    const backend = await Publisher.connect(redisPort);
    for (let n = 1; n <= 200; n++) backend.publish('42', `{"n":${n}}`);
    await expect(page.locator('#frames .frame').last()).toContainText('{"n":200}');
    await page.fill('#filter', '"n":77');
    await expect(page.locator('#frames-count')).toContainText('1 of ');
    await page.click('#frames .frame');
    await expect(page.locator('#detail')).toContainText('"n": 77');
    await page.fill('#filter', '');
    await page.click('#pause');
    backend.publish('42', '"later"');
    await expect(messages(page).filter({hasText: 'later'}).first()).toBeVisible();
    await expect(page.locator('#frames-count')).toContainText('newer');
    await expect(page.locator('#frames .frame').filter({hasText: 'later'})).toHaveCount(0);
    await page.click('#pause');
    await expect(page.locator('#frames .frame').filter({hasText: 'later'})).toBeVisible();
    await page.selectOption('#direction', 'out');
    await expect(page.locator('#frames .frame:visible')).toHaveCount(0);
    await page.click('#clear');
    await expect(page.locator('#frames-count')).toContainText('0 of 0');
    backend.end();
  });
});

test.describe('the demo', () => {
  let d: Awaited<ReturnType<typeof demo>>;
  test.beforeAll(async () => { d = await (await demo()).start() as typeof d; });
  test.afterAll(async () => { await d?.stop(); });

  async function open(page: Page): Promise<Page> {
    await page.goto(d.page);
    await expect(page.locator('#state-text')).toHaveText('Connected');
    return page;
  }

  test('connects by itself, and its snippets name its own Redis', async ({page}) => {
    await open(page);
    await expect(page.locator('#room-name')).toHaveText('Room 42');
    await expect(page.locator('#snippet')).toHaveText(`redis-cli -p ${d.redisPort()} PUBLISH room:42 '{"text":"hi"}'`);
    for (const language of ['roomgate', 'curl', 'Python', 'Node', 'PHP', 'Go']) {
      await page.getByRole('button', {name: language, exact: true}).click();
      await expect(page.locator('#snippet')).toContainText(String(d.redisPort()));
    }
  });

  test('what the snippets for a shell publish arrives', async ({page}) => {
    await open(page);
    let arrived = 0;
    for (const language of ['redis-cli', 'roomgate', 'curl']) {
      await page.getByRole('button', {name: language, exact: true}).click();
      execFileSync('bash', ['-c', await page.locator('#snippet').innerText()], {timeout: 10_000});
      await expect(messages(page)).toHaveCount(++arrived);
      await expect(messages(page).filter({hasText: '{"text":"hi"}'}).first()).toBeVisible();
    }
  });

  test('everything can be done with the keyboard alone', async ({page}) => {
    await open(page);
    await expect(page.locator('#text')).toBeFocused();
    await page.keyboard.type('typed');
    await page.keyboard.press('Enter');
    await expect(messages(page).filter({hasText: 'typed'}).first()).toBeVisible();
    const passed: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const element = document.activeElement!;
        return element.id || element.getAttribute('data-simulate') || element.textContent || '';
      });
      if (at === 'frames') break;
      passed.push(at);
    }
    for (const stop of ['redis-cli', 'snippet', 'copy', 'cut', 'expire', 'flood', 'redis', 'try-room', 'pasted', 'filter', 'direction', 'pings', 'pause', 'clear']) {
      expect(passed).toContain(stop);
    }
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await expect(page.locator('#frames .frame[aria-selected=true]')).toBeVisible();
    await expect(page.locator('#detail')).toContainText('"type"');
  });

  test('a cut link is told, and comes back', async ({page}) => {
    await open(page);
    const before = await conn(page);
    await page.click('[data-simulate=cut]');
    await expect(story(page).filter({hasText: '1006: the link broke'})).toBeVisible();
    await expect(story(page).filter({hasText: 'Connected again'})).toBeVisible();
    expect(await conn(page)).not.toBe(before);
  });

  test('a token that ends is refreshed without a reconnect', async ({page}) => {
    await open(page);
    await page.click('[data-simulate=expire]');
    await expect(story(page).filter({hasText: 'Connected again'})).toBeVisible();
    await expect(page.locator('#expiry')).toHaveText(/^in \d\d? s$/);
    const before = await conn(page);
    await expect(story(page).filter({hasText: 'expiring: the token ends in'})).toBeVisible();
    await expect(story(page).filter({hasText: 'the new token is taken'})).toBeVisible({timeout: 15_000});
    await expect(page.locator('#expiry')).toHaveText(/^in 1[45]:\d\d min$/);
    expect(await conn(page)).toBe(before);
  });

  test('a full queue is told: too slow, or a gap, and then it goes on', async ({page}) => {
    await open(page);
    await page.click('[data-simulate=flood]');
    await expect(story(page).filter({hasText: 'messages were published'})).toBeVisible();
    await expect(story(page).filter({hasText: /4102|1006|gap \(overload\)/}).first()).toBeVisible();
    console.log((await story(page).allTextContents()).join('\n'));
    await expect(page.locator('#state-text')).toHaveText('Connected');
    await page.fill('#text', 'after the flood');
    await page.click('#send');
    await expect(messages(page).filter({hasText: 'after the flood'}).first()).toBeVisible();
  });

  test('Redis that is restarted costs a gap, and no connection', async ({page}) => {
    await open(page);
    const before = await conn(page);
    await page.click('[data-simulate=redis]');
    await expect(story(page).filter({hasText: 'gap (redis)'}).first()).toBeVisible();
    expect(await conn(page)).toBe(before);
  });

  for (const [name, look] of Object.entries({
    light: {colorScheme: 'light'}, dark: {colorScheme: 'dark'},
    'light and narrow': {colorScheme: 'light', viewport: {width: 390, height: 800}}, 'dark and narrow': {colorScheme: 'dark', viewport: {width: 390, height: 800}},
  } as const)) {
    test.describe(name, () => {
      test.use(look);
      test('axe finds nothing, and nothing is cut off at the side', async ({page}) => {
        await open(page);
        await page.fill('#text', '{"text":"something to look at"}');
        await page.click('#send');
        await page.click('[data-simulate=cut]');
        await expect(story(page).filter({hasText: 'Connected again'})).toBeVisible();
        await page.locator('#frames .frame').first().click();
        await page.fill('#try-room', 'chat:lunch');
        await expectAccessible(page);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(wider).toBe(0);
        const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(dark).toBe(look.colorScheme === 'dark' ? 'rgb(17, 20, 25)' : 'rgb(244, 245, 247)');
      });
    });
  }
});
