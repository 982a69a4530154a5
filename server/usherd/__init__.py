"""usherd answers: may the holder of this token call this route with this model?"""
