import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

/** The heading of a view. It takes the focus when the view appears, so that a screen reader begins to read there. */
export function Heading ({ children }: { readonly children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  // Before the view is drawn: a moment later it would take the focus from who is typing already.
  useLayoutEffect(() => { heading.current?.focus() }, [])
  return <h1 ref={heading} tabIndex={-1}>{children}</h1>
}
