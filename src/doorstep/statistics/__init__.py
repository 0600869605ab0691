"""What can be said of counts: intervals, tests and odds, from scipy and statsmodels, which are imported when asked.

Nothing here knows a funnel. A figure that is undefined is None, never NaN.
"""
