/** Makes `to` a WebSocket's URL. What it does not name, scheme and host, is the page's; without a page the scheme is wss. */
export function address(to: string | URL): URL {
  const page: Location | undefined = globalThis.location;
  const scheme = page?.protocol === 'http:' ? 'ws:' : 'wss:';
  let url = String(to);
  if (/^\w+:\/\//.test(url)) url = url.replace(/^http/, 'ws');
  else if (/^\/\//.test(url)) url = scheme + url;
  else if (/^\//.test(url)) {
    if (!page?.host) throw new TypeError(`${to}: name the host, too, there is no page to take it from`);
    url = `${scheme}//${page.host}${url}`;
  } else url = `${scheme}//${url}`;
  return new URL(url);
}
