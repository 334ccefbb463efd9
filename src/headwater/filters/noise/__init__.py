"""Line noise: lines that people would call navigation, buttons, prices, dates or fragments, not text."""
