/** Credentials in URLs, wherever they stand in a text: connection errors of other people's code quote them. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/"'`,<>]*@/gi, '$1***@');
}
