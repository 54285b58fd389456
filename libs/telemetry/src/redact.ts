/** Credentials in URLs, wherever they stand in a text: connection errors of other people's code quote them. */
export function redactUrls(text: string): string {
  return text.replace(/:\/\/[^\s/"'`<>]*@/g, '://***@');
}

/** The same for a list of URLs, also malformed ones: all from `//` to the last `@` of a server may be its password. */
export function redactUrlList(urls: string): string {
  return urls
    .split(/(,\s*(?=[a-z][a-z0-9+.-]*:\/\/))/i)
    .map((url) => url.replace(/^([^/]*:\/\/)?.*@/s, '$1***@'))
    .join('');
}
