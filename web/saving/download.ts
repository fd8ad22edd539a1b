/** The browser's own downloads. */

/** Something that was handed to the browser. */
export interface Download {
  readonly name: string
  /** A blob: address, which this page alone can use. */
  readonly url: string
}

/** Has the browser download what is whole. It may ask its user, or keep several downloads in a row back: hence the address, for a link. */
export function startDownload (blob: Blob, name: string): Download {
  // What a sender calls a page is not to be opened as one, under this origin.
  const url = URL.createObjectURL(blob.slice(0, blob.size, 'application/octet-stream'))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  return { name, url }
}
