/**
 * The URL without BASE_PATH, if that stands before it: some proxies take it away, others do not. The bare path is left: the
 * page's links are relative, so it leads to the path with a slash.
 *
 * @param basePath - without a slash at the end; may be empty
 */
export function withoutBasePath (url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  return rest.startsWith('/') ? rest : url
}
