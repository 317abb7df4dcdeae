import AxeBuilder from '@axe-core/playwright';
import {expect, test as base, type Page} from '@playwright/test';

// What a browser writes by itself when a connection fails, which tests make happen.
const ordinary = /^WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED/;

/**
 * A test whose pages are watched: what they write to the console as an error, throw, or are kept from by their policy is
 * printed, and fails the test; so does a request to another host than the page's.
 */
export const test = base.extend<{watched: void}>({
  watched: [async ({context}, use) => {
    const problems: string[] = [];
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    context.on('page', page => {
      page.on('console', message => {
        if (message.type() === 'error' && !ordinary.test(message.text())) problems.push(`console: ${message.text()}`);
      });
      page.on('pageerror', error => problems.push(`thrown: ${error.stack ?? error.message}`));
      page.on('request', request => {
        const from = page.url(), to = new URL(request.url());
        if (from.startsWith('http') && to.host !== new URL(from).host) problems.push(`outside: ${to.host}`);
      });
    });
    await use();
    for (const problem of problems) console.log(problem);
    expect(problems).toEqual([]);
  }, {auto: true}],
});

/** Expects axe to find nothing on the page. */
export async function expectAccessible(page: Page): Promise<void> {
  const {violations} = await new AxeBuilder({page}).analyze();
  expect(violations.map(({id, nodes}) => `${id}: ${nodes.map(node => `${node.target} ${node.failureSummary}`).join('; ')}`)).toEqual([]);
}

export {expect};
