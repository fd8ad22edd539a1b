/**
 * The URL without BASE_PATH, if that stands before it: some proxies take it away, others do not.
 *
 * @param basePath - without a slash at the end; may be empty
 */
export function withoutBasePath (url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  if (rest === '' || rest.startsWith('?')) return `/${rest}`
  return rest.startsWith('/') ? rest : url
}
