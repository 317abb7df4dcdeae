/** Makes `to` a WebSocket's URL. What it does not name, scheme and host, is the page's; without a page the scheme is wss. */
export function address(to: string | URL): URL {
  const page: Location | undefined = globalThis.location;
  let url = String(to);
  if (/^\/(?!\/)/.test(url)) {
    if (!page?.host) throw new TypeError('name the host, too');
    url = `//${page.host}${url}`;
  } else if (!/^(\w+:)?\/\//.test(url)) url = `//${url}`;
  if (url.startsWith('//')) url = (page?.protocol === 'http:' ? 'ws:' : 'wss:') + url;
  const made = new URL(url);
  made.protocol = made.protocol.replace(/^http/, 'ws');
  made.hash = ''; // no WebSocket may have one
  if (!/^wss?:$/.test(made.protocol)) throw new TypeError('use ws or wss');
  return made;
}
