"""Mutation testing of the rules: one operator, value or condition is changed at a time: does a test notice?"""
