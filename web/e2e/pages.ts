// What the tests of the playground look at.
import type {BrowserContext, Page} from '@playwright/test';
import {token, type Gateway} from './start';
import {expect} from './watched';

export const messages = (page: Page) => page.locator('#messages li');
export const story = (page: Page) => page.locator('#story li');
export const conn = (page: Page) => page.locator('#footer-conn').textContent();

/** A page that is connected with a token of its own for those rooms. */
export async function enter(context: BrowserContext, g: Gateway, sub: string, ...rooms: string[]): Promise<Page> {
  const page = await context.newPage();
  await page.goto(g.page);
  await page.fill('#pasted', token(sub, ...rooms));
  await page.click('#use');
  await expect(page.locator('#state-text')).toHaveText('Connected');
  return page;
}
