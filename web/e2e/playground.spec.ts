import {conn, enter, messages} from './pages';
import {freePort, gateway, mint, Publisher, redisServer, token, type Gateway, type Program} from './start';
import {expect, expectAccessible, test} from './watched';

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

  // Playwright is told of each frame, too, by the browser, and is slow meanwhile to hear of anything else. So the page itself measures how soon a click
  // is handled and drawn.
  test('a page that gets 10,000 messages a second answers meanwhile, and shows what it can', async ({context}) => {
    test.setTimeout(120_000);
    const page = await enter(context, g, 'a', '42');
    const before = await conn(page);
    await page.locator('#pause').scrollIntoViewIfNeeded();
    const {x, y, width, height} = (await page.locator('#pause').boundingBox())!;
    await page.evaluate(() => {
      const seen = {longTasks: 0, passedOver: 0, clicks: [] as number[]};
      Object.assign(window, {seen});
      new PerformanceObserver(list => {
        for (const task of list.getEntries()) seen.longTasks += task.duration;
      }).observe({type: 'longtask'});
      new MutationObserver(list => {
        for (const node of list.flatMap(change => [...change.addedNodes])) {
          seen.passedOver += Number(/… ([\d,]+) more/.exec(node.textContent!)?.[1]!.replaceAll(',', '') ?? 0);
        }
      }).observe(document.querySelector('#messages ol')!, {childList: true});
      document.getElementById('pause')!.addEventListener('click', ({timeStamp}) => {
        requestAnimationFrame(() => setTimeout(() => seen.clicks.push(Math.round(performance.now() - timeStamp)))); // once it is drawn
      });
    });
    const seen = () => page.evaluate(() => (window as unknown as {seen: {longTasks: number; passedOver: number; clicks: number[]}}).seen);
    const backend = await Publisher.connect(redisPort), began = Date.now();
    let clicking = true; // and as long it is flooded
    const flood = backend.publishAt(10_000, 4, '42', n => `{"n":${n},"text":"one of very many"}`, () => clicking && Date.now() - began < 60_000);
    try {
      for (let i = 0; i < 4; i++) await page.mouse.click(x + width / 2, y + height / 2); // to pause, and to go on
      await expect.poll(async () => (await seen()).clicks.length, {timeout: 50_000}).toBe(4);
    } finally {
      clicking = false;
    }
    const {sent, rate} = await flood;
    const published = Date.now() - began;
    await expect(page.locator('#room-count')).toContainText(`${sent.toLocaleString('en')} messages`, {timeout: 30_000});
    const took = Date.now() - began;
    backend.publish('42', '"the last"');
    await expect(messages(page).filter({hasText: 'the last'}).first()).toBeVisible();
    const {longTasks, passedOver, clicks} = await seen();
    const nodes = await page.evaluate(() => document.getElementsByTagName('*').length);
    console.log(`${sent} messages at ${rate}/s, all on the page ${took - published} ms after the last; long tasks ${Math.round(longTasks)} ms of ${took}; clicks handled and drawn in ` +
      `${clicks.join(', ')} ms; ${passedOver} passed over as messages, ${Math.max(0, sent - 10_000)} not kept as frames; ${nodes} elements`);
    expect(await conn(page)).toBe(before); // no slow consumer
    expect(longTasks).toBeLessThan(took / 2);
    expect(nodes).toBeLessThan(1500);
    await expect(page.locator('#pause')).toHaveAttribute('aria-pressed', 'false');
    await expect(page.locator('#frames-count')).toContainText('10,000 kept');
    backend.end();
  });

  test('in a room to which the token may not publish nothing can be sent, and the page says why', async ({context}) => {
    const page = await context.newPage();
    await page.goto(g.page);
    await page.fill('#pasted', mint('a', ['42', 'news'], ['4*']));
    await page.click('#use');
    await expect(page.locator('#rooms button')).toHaveCount(2);
    await page.locator('#rooms button', {hasText: 'news'}).click();
    await expect(page.locator('#send')).toBeDisabled();
    await expect(page.locator('#may-not')).toHaveText('The token may join news, but not publish to it.');
    await page.press('#text', 'Enter');
    await expectAccessible(page);
    await page.locator('#rooms button', {hasText: '42'}).click();
    await expect(page.locator('#may-not')).toBeHidden();
    await page.fill('#text', 'allowed');
    await page.press('#text', 'Enter');
    await expect(messages(page).filter({hasText: 'allowed'}).first()).toBeVisible();
    await page.selectOption('#direction', 'out');
    await expect(page.locator('#frames .frame:visible').filter({hasText: '"publish"'})).toHaveCount(1);
  });

  test('where rooms.publish grants rooms, the gateway decides', async ({page}) => {
    const granting = await (await gateway(redisPort, '--rooms.publish', 'news')).start() as Gateway;
    await page.goto(granting.page);
    await page.fill('#pasted', mint('a', ['news'], []));
    await page.click('#use');
    await expect(page.locator('#room-name')).toHaveText('Room news');
    await page.fill('#text', 'granted');
    await page.click('#send');
    await expect(messages(page).filter({hasText: 'granted'}).first()).toBeVisible();
    await granting.stop();
  });

  test('a token that is pasted before the page has its settings is read', async ({page}) => {
    let release = () => {};
    const held = new Promise<void>(resolve => { release = resolve; });
    await page.route('**/settings.json', async route => {
      await held;
      await route.continue();
    });
    await page.goto(g.page, {waitUntil: 'commit'});
    await page.fill('#pasted', token('a', '42'));
    release();
    await page.click('#use');
    await expect(page.locator('#room-name')).toHaveText('Room 42');
  });

  test('no text becomes HTML on either page, whoever tries', async ({browser}) => {
    const page = await browser.newPage(); // not watched: it violates the policy
    for (const url of [g.page, g.admin]) {
      await page.goto(url);
      const said = await page.evaluate(() => {
        try {
          document.createElement('p').innerHTML = '<b>text</b>';
          return 'it does';
        } catch (error) {
          return (error as Error).name;
        }
      });
      expect(said).toBe('TypeError');
    }
    await page.close();
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
