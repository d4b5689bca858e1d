"""Tools that question the tests: does anything notice when a guard, or half of an integer, is taken away?"""
