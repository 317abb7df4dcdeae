import {execFileSync} from 'node:child_process';
import type {Page} from '@playwright/test';
import {conn, messages, story} from './pages';
import {demo, metric} from './start';
import {expect, expectAccessible, test} from './watched';

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
    for (const stop of ['redis-cli', 'snippet', 'copy', 'cut', 'expire', 'lapse', 'flood', 'redis', 'try-room', 'pasted', 'filter', 'direction', 'pings', 'pause', 'clear']) {
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

  test('a token that ends, and no new one: 4202, and a new connection with a new token', async ({page}) => {
    await open(page);
    await page.click('[data-simulate=lapse]');
    await expect(page.locator('#expiry')).toHaveText(/^in \d\d? s$/);
    await expect(story(page).filter({hasText: 'Connected again'})).toHaveCount(1);
    const before = await conn(page);
    await expect(story(page).filter({hasText: 'token: this page gives no new one'}).first()).toBeVisible({timeout: 15_000});
    await expect(story(page).filter({hasText: /^.*4202: token expired/})).toBeVisible({timeout: 15_000});
    await expect(story(page).filter({hasText: 'Connected again'})).toHaveCount(2);
    await expect(page.locator('#expiry')).toHaveText(/^in 1[45]:\d\d min$/);
    await expect(page.locator('#room-name')).toHaveText('Room 42');
    expect(await conn(page)).not.toBe(before);
  });

  // How fast a browser reads is its machine's. What then happens is not: it is told of a gap, or it is a slow consumer; and if even 4102 was not
  // read in time, so that it is 1006, the gateway knows why it ended.
  test('a full queue is told: a gap, or 4102, or 1006 of what the gateway counts as a slow consumer', async ({page}) => {
    await open(page);
    const slow = () => metric(d.admin, 'roomgate_connections_ended_total{reason="slow_consumer"}');
    const [before, was] = [await slow(), await conn(page)];
    await page.click('[data-simulate=flood]');
    await expect(story(page).filter({hasText: '1,024 messages were published, 64 MiB.'})).toBeVisible();
    let closed: string[] = [];
    await expect.poll(async () => {
      const told = await story(page).locator('span:last-child').allTextContents();
      closed = told.filter(line => /^\d{4}: /.test(line));
      return closed.length === await slow() - before && (closed.length > 0 || told.some(line => line.startsWith('gap (overload)')));
    }).toBe(true);
    console.log((await story(page).allTextContents()).join('\n'));
    for (const line of closed) expect(line).toMatch(/^4102: slow consumer: |^1006: /);
    await expect(page.locator('#state-text')).toHaveText('Connected', {timeout: 20_000});
    if (closed.length > 0) await expect(story(page).filter({hasText: 'Connected again'})).toHaveCount(closed.length);
    else expect(await conn(page)).toBe(was);
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
