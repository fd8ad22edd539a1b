/** What has to hold for every state of the page, whoever uses it and however: WCAG 2.2, where axe cannot tell. */

import type { Page } from 'puppeteer-core'

/** Windows that a page has to fit, and how large the letters are in it: 320 pixels are 1280 at 400 % (1.4.10), 360 those of a small phone. */
const WINDOWS = [{ width: 320, letters: '' }, { width: 360, letters: '' }, { width: 360, letters: '200%' }, { width: 640, letters: '200%' }] as const
/** Stops of the Tab key until it is given up. */
const MOST_STOPS = 40

/** What does not fit: content that only sideways scrolling shows (1.4.10, and 1.4.4 with letters twice as large), words that break anywhere, targets too small for a finger (2.5.8). */
export async function layoutFaults (page: Page): Promise<readonly string[]> {
  const before = page.viewport()
  const faults: string[] = []
  for (const { width, letters } of WINDOWS) {
    await page.setViewport({ width, height: 740 })
    faults.push(...await page.evaluate(faultsOf, letters))
  }
  await page.setViewport(before)
  return faults
}

/** To be run in a page. */
function faultsOf (letters: string): readonly string[] {
  const { documentElement } = document
  documentElement.style.fontSize = letters
  const where = `at ${innerWidth} px ${letters}: `
  const faults = documentElement.scrollWidth > innerWidth ? [`${where}${documentElement.scrollWidth} px wide`] : []
  for (const target of document.querySelectorAll<HTMLElement>('a[href], button, input:not([hidden]), select, summary, textarea')) {
    const { width, height, left, right } = target.getBoundingClientRect()
    // What a closed <details> holds has no box.
    if (width === 0 && height === 0) continue
    if (width < 24 || height < 24) faults.push(`${where}${target.outerHTML} is ${width} × ${height}`)
    if (left < 0 || right > innerWidth) faults.push(`${where}${target.outerHTML} is cut off`)
    const texts = document.createTreeWalker(target, NodeFilter.SHOW_TEXT)
    while (texts.nextNode() !== null) {
      const { currentNode: text } = texts
      // A soft hyphen is where a word may break.
      for (const { 0: word, index } of (text.textContent ?? '').matchAll(/[^\s\u00AD-]+/g)) {
        const range = document.createRange()
        range.setStart(text, index)
        range.setEnd(text, index + word.length)
        if (new Set(Array.from(range.getClientRects(), ({ bottom }) => Math.round(bottom))).size > 1) faults.push(`${where}"${word}" is broken`)
      }
    }
  }
  documentElement.style.fontSize = ''
  return faults
}

/** Goes on by Tab alone to what is called so. @throws Error if it is not reached, or anything on the way shows no focus (2.4.7) */
export async function tabTo (page: Page, name: string): Promise<void> {
  const passed: string[] = []
  while (passed.length < MOST_STOPS) {
    await page.keyboard.press('Tab')
    const { text, isVisible } = await page.evaluate(focused)
    if (!isVisible) throw new Error(`no focus is seen on "${text}"`)
    if (text === name) return
    passed.push(text)
  }
  throw new Error(`"${name}" is not reached by Tab, but ${passed.join(', ')}`)
}

/** To be run in a page. */
function focused (): { readonly text: string, readonly isVisible: boolean } {
  const element = document.activeElement
  if (element === null || element === document.body) return { text: 'the document', isVisible: true }
  const label = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement ? element.labels?.[0]?.textContent : element.textContent
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const { top, bottom } = element.getBoundingClientRect()
  return { text: (label ?? '').trim(), isVisible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && bottom > 0 && top < innerHeight }
}

/** What moves on the page, or would when it is touched. */
export const motions = (page: Page): Promise<readonly string[]> => page.evaluate(() => [
  ...document.getAnimations().map((animation) => animation instanceof CSSAnimation ? animation.animationName : 'a transition'),
  ...Array.from(document.querySelectorAll('*')).filter((element) => parseFloat(getComputedStyle(element).transitionDuration) > 0).map(({ tagName }) => tagName)
])
